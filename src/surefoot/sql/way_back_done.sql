-- How many statements of a way back are done that isn't one transaction: it's known if that is cut off.
update surefoot.journal
set evidence = %(done)s
where id = %(id)s and step = 'begun'
