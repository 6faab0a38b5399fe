"""Facts as upstream publishes them (DOMAIN.md, section 2). Imports nothing of ours."""
