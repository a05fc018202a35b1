"""The classroom: what a lesson does more in the folder of a learner, into which `make lab` puts it.

On the pages of the site and in the regression run there is no such folder, and all of this stays away.
"""
