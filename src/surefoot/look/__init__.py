"""The only readers. They return values; nothing here writes."""
