"""Reports of a judged campaign: the page, the mail, the terminal's table."""
