"""Proof from outside: whether a port can really be reached. Contacts no host but those that the user named.

check       check_port(): the probes in order, then one verdict
echo        EchoClient: asks a responder (the interface of echoip)
hairpin     hairpinning: a connection from this host to its own external address
nat_probe   NatProbe: asks STUN servers how the NAT treats UDP
nat_type    NatType: how a NAT maps and filters, and what that means; pure
observations  what was measured for one port
proof  what follows from each check of a held port; pure
prove_setting  ProveSetting: URL[,every=DUR]; pure
temporary_listener    TemporaryListener: a socket that listens where no program does
verdict     Reachability, and the rules that give the verdict; pure
responder/  The responder behind `portmap echo`
repair_step  RepairStep: what may repair a mapping that forwards nothing
stun_responder  StunResponder: proves UDP with a STUN server of RFC 5780
"""
