"""Keep a replay on the scratch server, whatever the application's code connects to by itself.

Used in the process of a replay only (`catalogue_build/child.py`), before the application's code is
loaded. `gate` decides. `drivers` asks it at each driver's connect function, because libpq connects
in C, where Python sees nothing; `system` asks it at each socket and each program that Python
starts.
"""
