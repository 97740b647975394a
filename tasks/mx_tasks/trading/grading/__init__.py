"""What decisions and programs are worth, and in ``inside/`` what runs beside a program."""
