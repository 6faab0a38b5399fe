"""The rules over a file, with no Kafka and no clock but the data's (DOMAIN.md, section 7)."""
