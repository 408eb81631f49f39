"""What is to be done with a database as it was seen, or why not: values in, values out."""
