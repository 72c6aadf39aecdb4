"""Which changed lines of a series ran: its diff, the line tables of its kernel, and the traces of its guests."""
