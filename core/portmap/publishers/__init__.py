"""Publishers: each gets the open ports, on a thread of its own, again until it succeeds.

convergence  Convergence: which state a publisher is called with next, and when; pure
failure      Failure: what a publisher raised, made safe to keep
group        PublisherGroup: all publishers of a session; who signs
health       PublisherHealth: how a publisher fares; pure
runner       PublisherRunner: one publisher on its thread
"""
