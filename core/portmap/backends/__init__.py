"""One backend, called safely: a spec becomes a `Nat`, every answer is checked. Names no plugin.

answers       check what a backend answered
declarations  what a backend declares about itself, read once and checked
load          load() and load_ipv6(): spec -> Nat
nat           Nat: one backend, called with a deadline, answers checked
none          the backend `none`
shared   SharedNat: a Nat that shares its mappings with the other portmaps of this host
worker        Worker: one thread that runs jobs in order
any/          The backend `any`
chain/        A chain: gateways in a row, as one backend
"""
