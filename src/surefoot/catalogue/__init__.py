"""The catalogue: the structure after each revision, its file, and which revision a structure matches. Pure."""
