"""A chain: gateways in a row, one behind the other's NAT, as one backend.

backend        the hooks, over the hops
chain_mapping  ChainMapping: one port through all hops
chain_nat      ChainNat: a chain, called safely
hop            Hop: one gateway of the row, and its place in every error; Hops: those in use
hop_mapping    HopMapping: what one hop holds of a mapping; text <-> values
next_gateway   `auto`: the next gateway on the way out, looked for
"""
