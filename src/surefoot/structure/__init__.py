"""What is true of a structure, what each revision makes of it, and where one stands. Pure."""
