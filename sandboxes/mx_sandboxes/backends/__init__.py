"""One folder for each way to make a jail; a third backend is one new folder."""
