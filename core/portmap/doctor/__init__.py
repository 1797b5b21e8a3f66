"""What stands in the way of being reached: gathered by `examine`, judged by `verdict`, told by `story`.

Law: looking changes nothing anywhere, unless a try was asked for; nobody beyond the gateway is contacted, unless named.
"""
