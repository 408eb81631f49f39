"""What the tests have in common: applications, databases, servers, proxies."""
