"""Make a catalogue: replay the history on a scratch server, and look after each revision."""
