"""The only readers. What they return is a value; nothing here writes."""
