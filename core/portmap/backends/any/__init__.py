"""The backend `any`: asks all installed backends at once and uses the one that answers best.

backend         the backend `any`: the hooks, over the race winner and the others
candidates      who takes part; loads each plugin beside the race
combined_watch  one watch over several backends
mapping_owners  which backend holds which mapping
race            Race: rounds, the preferred candidate, the hint
race_round      one round: ask all, pick the winner, record why the others lost
"""
