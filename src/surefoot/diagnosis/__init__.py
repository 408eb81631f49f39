"""Why a revision failed, and what to try: derived from PostgreSQL's answer and what is known."""
