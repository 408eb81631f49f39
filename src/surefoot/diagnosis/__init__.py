"""Why a revision failed, and what to try: from PostgreSQL's answer and what else is known."""
