"""A provider's made-up customers, a file for each strand of their stories."""
