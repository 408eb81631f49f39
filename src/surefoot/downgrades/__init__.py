"""Undo revisions: the effect, the losses, the order. Pure."""
