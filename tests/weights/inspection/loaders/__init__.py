"""The differential test: what real loaders run must be refused or labelled as code."""
