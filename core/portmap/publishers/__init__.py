"""Publishers: each is told the endpoints that hold, on a thread of its own, again until it succeeds.

convergence  Convergence: what to tell a publisher next, and when; pure
group        PublisherGroup: all publishers of a session; who signs
health       PublisherHealth: how a publisher fares; pure
runner       PublisherRunner: one publisher on its thread
"""
