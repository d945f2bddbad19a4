# SPDX-License-Identifier: BSD-2-Clause
"""What tshark says about packets that mad_craft made.

    mad-oracle.py WHAT_WAS_MEANT TSHARK_PDML

Every field of every attribute must stand in FIELDS with tshark's name for it,
or in UNKNOWN with the reason why tshark 4.0 can't tell.
"""
import collections
import sys
import xml.etree.ElementTree

# Ours -> tshark's, without "infiniband.".
FIELDS = {
    "lrh": "vl sl lnh dlid slid",
    "bth": "opcode solicited=se pkey=p_key dest_qp=destqp psn",
    "deth": "qkey=q_key src_qp=srcqp",
    "grh": "tclass flow_label=flowlabel hop_limit=hoplmt next=nxthdr",
    "mad": "mgmt_class=mgmtclass method attr_id=attributeid "
           "attr_mod=attributemodifier tid=transactionid status",
    "smp": "d=smpdirected.d hop_pointer=smpdirected.hoppointer "
           "hop_count=smpdirected.hopcount dr_slid=smpdirected.drslid "
           "m_key=smplid.mkey",
    "sa": "sm_key=smkey comp_mask=componentmask attr_offset=attributeoffset",
    "rmpp": "type=rmpptype",
    "NodeInfo": "base_version=baseversion class_version=classversion "
                "node_type=nodetype n_ports=numports "
                "system_guid=systemimageguid node_guid=nodeguid "
                "port_guid=portguid partition_cap=partitioncap "
                "device_id=deviceid revision local_port=localportnum "
                "vendor_id=vendorid",
    "SwitchInfo": "linear_cap=linearfdbcap random_cap=randomfdbcap "
                  "multicast_cap=multicastfdbcap linear_top=linearfdbtop "
                  "default_port=defaultport "
                  "default_multicast_primary=defaultmulticastprimaryport "
                  "default_multicast_other=defaultmulticastnotprimaryport "
                  "life_time=lifetimevalue "
                  "port_state_change=portstatechange "
                  "optimized_sl2vl=optimizedsltovlmappingprogramming "
                  "lids_per_port=lidsperport "
                  "partition_enforcement_cap=partitionenforcementcap "
                  "inbound_enforcement=inboundenforcementcap "
                  "outbound_enforcement=outboundenforcementcap "
                  "filter_raw_inbound=filterrawinboundcap "
                  "filter_raw_outbound=filterrawoutboundcap "
                  "enhanced_port0=enhancedportzero",
    "PortInfo": "m_key subnet_prefix=guid lid sm_lid=mastersmlid "
                "capability_mask=capabilitymask diag_code=diagcode "
                "m_key_lease=m_keyleaseperiod local_port=localportnum "
                "link_width_enabled=linkwidthenabled "
                "link_width_supported=linkwidthsupported "
                "link_width_active=linkwidthactive "
                "link_speed_supported=linkspeedsupported "
                "port_state=portstate phys_state=portphysicalstate "
                "down_default=linkdowndefaultstate "
                "m_key_protect=m_keyprotectbits lmc "
                "link_speed_active=linkspeedactive "
                "link_speed_enabled=linkspeedenabled "
                "neighbor_mtu=neighbormtu sm_sl=mastersmsl vl_cap=vlcap "
                "init_type=inittype vl_high_limit=vlhighlimit "
                "vl_arb_high_cap=vlarbitrationhighcap "
                "vl_arb_low_cap=vlarbitrationlowcap "
                "init_type_reply=inittypereply mtu_cap=mtucap "
                "vl_stall_count=vlstallcount hoq_life=hoqlife "
                "operational_vls=operationalvls "
                "enforce_inbound=partitionenforcementinbound "
                "enforce_outbound=partitionenforcementoutbound "
                "filter_raw_inbound=filterrawinbound "
                "filter_raw_outbound=filterrawoutbound "
                "m_key_violations=m_keyviolations "
                "p_key_violations=p_keyviolations "
                "q_key_violations=q_keyviolations guid_cap=guidcap "
                "client_reregister=clientreregister "
                "subnet_timeout=subnettimeout resp_time=resptimevalue "
                "local_phy_errors=localphyerrors "
                "overrun_errors=overrunerrors "
                "max_credit_hint=maxcredithint "
                "link_round_trip_latency=linkroundtriplatency",
    "NodeDescription": "text=nodestring",
    "GUIDInfo": "guid=switchinfo.guid",
    "VLArbitrationTable": "vl weight",
    "LinearForwardingTable": "port",
    "MulticastForwardingTable": "mask=portmask",
    "SMInfo": "guid sm_key act_count=actcount priority state=smstate",
    "Notice": "generic=isgeneric type producer=producertypevendorid "
              "trap=trapnumberdeviceid issuer_lid=issuerlid "
              "toggle=noticetoggle count=noticecount",
    "ClassPortInfo": "base_version=baseversion class_version=classversion "
                     "capability_mask=capabilitymask "
                     "capability_mask2=capabilitymask2 "
                     "resp_time=resptimevalue redirect_gid=redirectgid "
                     "redirect_tclass=redirecttc redirect_sl=redirectsl "
                     "redirect_flow_label=redirectfl "
                     "redirect_lid=redirectlid redirect_pkey=redirectpkey "
                     "redirect_qp=redirectqp redirect_qkey=redirectqkey "
                     "trap_gid=trapgid trap_tclass=traptc trap_sl=trapsl "
                     "trap_flow_label=trapfl trap_lid=traplid "
                     "trap_pkey=trappkey trap_qp=trapqp trap_qkey=trapqkey",
    "PortCounters": "port_select=portselect counter_select=counterselect "
                    "symbol_errors=symbolerrorcounter "
                    "link_error_recovery=linkerrorrecoverycounter "
                    "link_downed=linkdownedcounter rcv_errors=portrcverrors "
                    "rcv_remote_physical_errors="
                    "portrcvremotephysicalerrors "
                    "rcv_switch_relay_errors=portrcvswitchrelayerrors "
                    "xmit_discards=portxmitdiscards "
                    "xmit_constraint_errors=portxmitconstrainterrors "
                    "rcv_constraint_errors=portrcvconstrainterrors "
                    "link_integrity_errors=locallinkintegrityerrors "
                    "buffer_overrun_errors=excessivebufferoverrunerrors "
                    "vl15_dropped=vl15dropped xmit_data=portxmitdata "
                    "rcv_data=portrcvdata xmit_packets=portxmitpkts "
                    "rcv_packets=portrcvpkts",
    "PortCountersExtended": "port_select=portselect "
                            "counter_select=counterselect "
                            "xmit_data=portxmitdata rcv_data=portrcvdata "
                            "xmit_packets=portxmitpkts "
                            "rcv_packets=portrcvpkts "
                            "unicast_xmit_packets=portunicastxmitpkts "
                            "unicast_rcv_packets=portunicastrcvpkts "
                            "multicast_xmit_packets=portmulticastxmitpkts "
                            "multicast_rcv_packets=portmulticastrcvpkts",
    "NodeRecord": "lid",
    "PortInfoRecord": "lid=endportlid port=portnum",
    "SLtoVLMappingTableRecord": "lid in_port=inputportnum "
                                "out_port=outputportnum",
    "SwitchInfoRecord": "lid",
    "LinearForwardingTableRecord": "lid block=blocknum_sixteenbit",
    "MulticastForwardingTableRecord": "lid position block=blocknum_ninebit",
    "SMInfoRecord": "lid",
    "LinkRecord": "from_lid=fromlid from_port=fromport to_port=toport "
                  "to_lid=tolid",
    "GuidInfoRecord": "lid block=blocknum_eightbit",
    "ServiceRecord": "id=serviceid gid=servicegid pkey=servicep_key "
                     "lease=servicelease key=servicekey name=servicename",
    "P_KeyTableRecord": "lid block=blocknum_sixteenbit port=portnum",
    "PathRecord": "dgid sgid dlid slid raw_traffic=rawtraffic "
                  "flow_label=flowlabel hop_limit=hoplimit tclass "
                  "reversible n_paths=numbpath pkey=p_key sl "
                  "mtu_selector=mtuselector mtu rate_selector=rateselector "
                  "rate life_selector=packetlifetimeselector "
                  "life=packetlifetime preference",
    "VLArbitrationTableRecord": "lid port=outputportnum "
                                "block=blocknum_eightbit",
    "MCMemberRecord": "mgid port_gid=portgid qkey=q_key mlid "
                      "mtu_selector=mtuselector mtu tclass pkey=p_key "
                      "rate_selector=rateselector rate "
                      "life_selector=packetlifetimeselector "
                      "life=packetlifetime sl flow_label=flowlabel "
                      "hop_limit=hoplimit scope join_state=joinstate "
                      "proxy_join=proxyjoin",
    "MultiPathRecord": "raw_traffic=rawtraffic flow_label=flowlabel "
                       "hop_limit=hoplimit tclass reversible "
                       "n_paths=numbpath pkey=p_key sl "
                       "mtu_selector=mtuselector mtu "
                       "rate_selector=rateselector rate "
                       "life_selector=packetlifetimeselector "
                       "life=packetlifetime "
                       "independence=independenceselector "
                       "n_sgids=sgidcount n_dgids=dgidcount "
                       "gid=sdgid",
    "InformInfo": "gid lid_begin=lidrangebegin lid_end=lidrangeend "
                  "generic=isgeneric subscribe type "
                  "trap=trapnumberdeviceid qpn resp_time=resptimevalue "
                  "producer=producertypevendorid",
    "InformInfoRecord": "gid=subscribergid number=enum",
    "Trap64-67": "gid=gidaddr",
    "Trap128": "lid=lidaddr",
    "Trap129-131": "lid=lidaddr port=portno",
    "Trap144": "lid=lidaddr local_changes=otherlocalchanges "
               "capability_mask=capabilitymask",
    "Trap145": "lid=lidaddr system_guid=systemimageguid",
    "Trap256": "lid=lidaddr dr_slid=drslid method attr_id=attributeid "
               "attr_mod=attributemodifier m_key=mkey directed=drnotice "
               "truncated=drpathtruncated n_hops=drhopcount "
               "return_path=drnoticereturnpath",
    "Trap257-258": "lid1=lidaddr1 lid2=lidaddr2 key sl qp1 qp2 "
                   "gid1=gidaddr1 gid2=gidaddr2",
    "Trap259": "data_valid=datavalid lid1=lidaddr1 lid2=lidaddr2 pkey sl "
               "qp1 qp2 gid1=gidaddr1 gid2=gidaddr2 switch_lid=swlidaddr "
               "port=portno",
}

# tshark's names of tables, where they are not ours in lower case.
TABLES = {
    "smp": "", "PortCountersExtended": "portcounters_ext", "GUIDInfo": "",
    "ServiceRecord": "linkrecord", "P_KeyTable": "p_keytable",
    "NodeRecord": "sa", "PortInfoRecord": "sa",
    "SLtoVLMappingTableRecord": "sa", "SwitchInfoRecord": "sa",
    "LinearForwardingTableRecord": "sa",
    "MulticastForwardingTableRecord": "sa", "SMInfoRecord": "sa",
    "GuidInfoRecord": "sa", "P_KeyTableRecord": "sa",
    "VLArbitrationTableRecord": "sa",
}

NOT_DECODED = "not decoded"
UNKNOWN = {
    "rmpp.resp_time": "split from the flags in the wrong place",
    "smp.d": "read from the wrong byte; smp.status has the bit too",
    "Notice.details": "see the traps",
    "Notice.issuer_gid": NOT_DECODED,
    "SwitchInfo.multicast_top": NOT_DECODED,
    "PortInfo.multicast_pkey_trap_suppression": NOT_DECODED,
    "PortInfo.capability_mask2": NOT_DECODED,
    "PortInfo.link_speed_ext_active": NOT_DECODED,
    "PortInfo.link_speed_ext_supported": NOT_DECODED,
    "PortInfo.link_speed_ext_enabled": NOT_DECODED,
    "PortInfoRecord.options": NOT_DECODED,
    "Trap144.change_flags": "only three of its bits",
    "Trap144.capability_mask2": NOT_DECODED,
    "ClassPortInfo.trap_hop_limit": NOT_DECODED,
    "PortCounters.counter_select2": NOT_DECODED,
    "PortCounters.qp1_dropped": NOT_DECODED,
    "PortCounters.xmit_wait": NOT_DECODED,
    "PathRecord.service_id": NOT_DECODED,
    "PathRecord.qos_class": NOT_DECODED,
    "MultiPathRecord.qos_class": NOT_DECODED,
    "MultiPathRecord.service_id_top": NOT_DECODED,
    "MultiPathRecord.service_id_low": NOT_DECODED,
}
UNKNOWN.update((f"PortCountersExtended.{f}", NOT_DECODED) for f in (
    "counter_select2", "symbol_errors", "link_error_recovery", "link_downed",
    "rcv_errors", "rcv_remote_physical_errors", "rcv_switch_relay_errors",
    "xmit_discards", "xmit_constraint_errors", "rcv_constraint_errors",
    "link_integrity_errors", "buffer_overrun_errors", "vl15_dropped",
    "xmit_wait", "qp1_dropped"))
UNKNOWN.update((f"Trap259.{f}", NOT_DECODED) for f in (
    "data_valid", "lid1", "lid2", "pkey", "sl", "qp1", "qp2", "gid1", "gid2",
    "switch_lid", "port"))

# Of arrays, how many elements tshark shows where it does not show all.
SHOWN = {"MulticastForwardingTable.mask": 16}


def tshark_name(table, field):
    for pair in FIELDS.get(table, "").split():
        ours, _, theirs = pair.partition("=")
        if ours == field:
            prefix = TABLES.get(table, "trap" if table.startswith("Trap")
                                else table.lower())
            return ".".join(p for p in ("infiniband", prefix,
                                        theirs or ours) if p)
    return None


def packets(path):
    for packet in xml.etree.ElementTree.parse(path).getroot():
        fields = collections.defaultdict(list)
        for f in packet.iter("field"):
            value = f.get("value") or ""
            if f.get("unmaskedvalue") is None and "= " in (
                    f.get("showname") or "") and f.get("show").isdigit():
                value = f"{int(f.get('show')):x}"  # bits of a byte
            fields[f.get("name")].append(value)
        yield fields


def numbers(table, field, found):
    """tshark's elements of a field; None: it has no such field."""
    if table == "P_KeyTable":
        high = found["infiniband.p_keytable.membershiptype"]
        low = found["infiniband.p_keytable.p_keybase"]
        return [int(h, 16) << 15 | int(l, 16) for h, l in zip(high, low)]
    if table == "SLtoVLMappingTable":
        high = found["infiniband.sltovlmappingtable.sltovlhighbits"]
        low = found["infiniband.sltovlmappingtable.sltovllowbits"]
        return [int(x, 16) for pair in zip(high, low) for x in pair]
    if table == "ServiceRecord" and field.startswith("data"):
        bits = int(field.removeprefix("data"))
        block = found["infiniband.linkrecord.servicedata"][
            [8, 16, 32, 64].index(bits)]
        return [int(block[i:i + bits // 4], 16)
                for i in range(0, len(block), bits // 4)]
    name = tshark_name(table, field)
    return name and [int(v, 16) for v in found[name]]


def main():
    decoded = list(packets(sys.argv[2]))
    seen, bad = collections.Counter(), []
    for line in open(sys.argv[1], encoding="ascii"):
        number, name, *values = line.split()
        table, field = name.rsplit(".", 1)
        found = decoded[int(number) - 1]
        if name in UNKNOWN:
            continue
        theirs = numbers(table, field, found)
        if theirs is None:
            bad.append(f"{name}: neither in FIELDS nor in UNKNOWN")
            continue
        ours = [int(v, 16) for v in values][:SHOWN.get(name)]
        if ours != theirs:
            bad.append(f"packet {number} {name}: we meant {ours}, "
                       f"tshark says {theirs}")
        seen[name] += 1
    print("\n".join(bad) or f"{len(seen)} fields, {len(decoded)} packets")
    sys.exit(bool(bad))


main()
