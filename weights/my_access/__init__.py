"""My access: the page of a person's grants, links and downloads."""
