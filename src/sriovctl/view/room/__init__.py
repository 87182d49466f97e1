"""A room of hosts as a picture: a page, or a drawing alone."""
