"""The catalogue: the structure after each revision, its file, what a structure matches. Pure."""
