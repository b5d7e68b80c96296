"""Everything that touches the world: sockets, database, time, logs, schedules, commands."""
