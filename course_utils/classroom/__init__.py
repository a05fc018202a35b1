"""What a lesson does more for the learner in whose folder it lies: `make lab` puts it there, and nothing else does.

On the pages of the site and in the regression run there is no such folder, and all of this stays away.
"""
