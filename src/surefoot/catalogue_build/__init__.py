"""Make a catalogue: replay the history on a scratch server, look behind each revision."""
