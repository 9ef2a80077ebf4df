"""How bytes leave: an answer or an address, the signed links, and the record of each."""
