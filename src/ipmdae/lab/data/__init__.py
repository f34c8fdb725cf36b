"""The public databases: fetching them, reading them, and mixing noise into them."""
