"""The engines that tables are read with; each is imported when a connection of its kind is opened."""
