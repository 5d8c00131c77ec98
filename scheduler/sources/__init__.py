"""Sources: read-only collections of other people's records.

A folder or a static web page with an index file. Nothing is asked of the network but when a source
is added or updated; what was fetched is kept, and every record of it is checked again as it is read.
Data flows one way: index_form, entries, addresses, signing -> readers, web, kept (what is on disk)
-> fetching -> sources -> words, by_hand (a host's list); publishing makes an index.
"""

from .sources import Sources, beside

__all__ = ["Sources", "beside"]
