"""PostgreSQL: the connection, the tables of each domain (`domains/`), and what creates them (`migrations.py`)."""
