"""Good and nearly good inputs for the UPnP plugin's parsers, and the words of their formats."""

_DEVICE = b"urn:schemas-upnp-org:device:"
_WANIP = b"<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>"
_WANPPP = b"<serviceType>urn:schemas-upnp-org:service:WANPPPConnection:1</serviceType>"

HEADER_WORDS = (b"\r\n", b"\n", b":", b" ", b"\0", b"LOCATION: ", b"location:\t", b"HTTP/1.1 200 OK", b"\x85", b"\xff")
SEARCH_ANSWERS = (
    b"\r\n".join(
        (
            b"HTTP/1.1 200 OK",
            b"CACHE-CONTROL: max-age=120",
            b"ST: " + _DEVICE + b"InternetGatewayDevice:1",
            b"USN: uuid:00000000-0000-0000-0000-000000000000::" + _DEVICE + b"InternetGatewayDevice:1",
            b"EXT:",
            b"SERVER: Linux/5.10 UPnP/1.1 MiniUPnPd/2.3.1",
            b"LOCATION: http://192.168.1.1:5000/rootDesc.xml",
            b'OPT: "http://schemas.upnp.org/upnp/1/0/"; ns=01',
            b"BOOTID.UPNP.ORG: 1",
            b"\r\n",
        )
    ),
    b"http/1.0 200\nlocation:http://192.168.1.1/\n",
    b"HTTP/1.1 404 Not Found\r\nLOCATION: http://192.168.1.1/\r\n\r\n",
)
NOTICES = tuple(
    b"\r\n".join(
        (
            b"NOTIFY * HTTP/1.1",
            b"HOST: 239.255.255.250:1900",
            b"LOCATION: http://192.168.1.1:5000/rootDesc.xml",
            b"NT: " + _DEVICE + b"InternetGatewayDevice:1",
            b"NTS: " + says,
            b"BOOTID.UPNP.ORG: 1",
            b"NEXTBOOTID.UPNP.ORG: 2",
            b"\r\n",
        )
    )
    for says in (b"ssdp:alive", b"ssdp:byebye", b"ssdp:update", b"ssdp:what")
)
SUBSCRIPTIONS = (b"uuid:00000000-0000-0000-0000-000000000000\nSecond-1800", b"uuid:1\nSecond-infinite", b"\n")
EVENTS = (
    b"".join(
        (
            b"NOTIFY /events HTTP/1.1\r\nHOST: 192.168.1.2:5000\r\nNT: upnp:event\r\nNTS: upnp:propchange\r\n",
            b"SID: uuid:1\r\nSEQ: 0\r\n\r\n<e:propertyset><e:property>",
            b"<ExternalIPAddress>203.0.113.7</ExternalIPAddress></e:property>",
            b"<e:property><ConnectionStatus>Connected</ConnectionStatus></e:property></e:propertyset>",
        )
    ),
    b"NOTIFY / HTTP/1.1\nSID: uuid:2\n\n",
)

URL_WORDS = (
    *(b"http://", b"192.168.1.1", b"169.254.0.1", b"[::1]", b"@", b":", b"/", b"//", b"?", b"#", b"\\", b"..", b";"),
    *(b"%00", b"\t", b"\0", b":0", b":65536", b":99999999999999999999", b"[", b"]", "\u2100".encode()),
)
URLS = (
    b"http://192.168.1.1:5000/rootDesc.xml",
    b"http://192.168.1.1/",
    b"HTTP://192.168.1.1:65535?x=y#z",
    b"http://192.168.1.1@8.8.8.8/",
    b"http://[::ffff:192.168.1.1]:80/a",
    b"https://192.168.1.1/",
    b"http://192.168.1.2/",
)
CONTROL_URLS = (  # control URL, line feed, URLBase
    b"/ctl/IPConn\n",
    b"ctl/IPConn;x?y#z\nhttp://192.168.1.1:8080/base/",
    b"//ctl/../IPConn\nhttp://192.168.1.1",
    b"http://192.168.1.1:49152/upnp/control/WANIPConn1\n",
    b"?x\nhttp://[",
)

XML_WORDS = (
    *(b"<a>", b"</a>", b"<b/>", b"<a:b c='d'>", b"&amp;", b"&#x1F600;", b"&x;", b"<![CDATA[", b"]]>", b"<!--", b"-->"),
    *(b"<?x y?>", b'<!DOCTYPE r [<!ENTITY x "xxxxxxxx">]>', b"\0", b"\xf0\x9f\x98\x80", b"\xff\xfe", b" a='b'"),
    *(b"<service>", b"</service>", b"<URLBase>http://192.168.1.1/", b"<errorCode>718</errorCode>", b"xResponse"),
    *(b"utf-16", b"latin1", b"x" * 255, b"x<b/>" * 40),
    b"<service>" + _WANIP + b"<controlURL>/ctl</controlURL></service>",
)
DESCRIPTIONS = (
    b"".join(
        (
            b'<?xml version="1.0"?>\n<root xmlns="urn:schemas-upnp-org:device-1-0" configId="1337">',
            b"<specVersion><major>1</major><minor>1</minor></specVersion><URLBase>http://192.168.1.1:5000</URLBase>\n",
            b"<device><deviceType>" + _DEVICE + b"InternetGatewayDevice:1</deviceType><friendlyName>R</friendlyName>",
            b"<deviceList><device><deviceType>" + _DEVICE + b"WANDevice:1</deviceType>\n",
            b"<deviceList><device><deviceType>" + _DEVICE + b"WANConnectionDevice:1</deviceType>\n",
            b"<serviceList><service>" + _WANIP + b"<SCPDURL>/WANIPCn.xml</SCPDURL><controlURL>/ctl/IPConn</controlURL>",
            b"<eventSubURL>/evt/IPConn</eventSubURL></service><service>" + _WANPPP + b"<controlURL>ppp</controlURL>",
            b"</service></serviceList></device></deviceList></device></deviceList></device></root>\n",
        )
    ),
    b"<service>" + _WANIP + b"<controlURL>/</controlURL></service>\0junk",
    '<?xml version="1.0" encoding="UTF-16"?><r><s/></r>'.encode("utf-16"),
    b'<?xml version="1.0" encoding="iso-8859-99"?><r/>',
    b'<?xml version="1.0" encoding="unicode_escape"?><r/>',
    b'<!DOCTYPE r [<!ENTITY x "' + b"x" * 9000 + b'">]><r>&x;&x;</r>',
)
REPLIES = (  # the first byte stands for the HTTP status
    b"".join(
        (
            b'\0<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>',
            b'<u:GetExternalIPAddressResponse xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1">',
            b"<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress></u:GetExternalIPAddressResponse>",
            b"</s:Body></s:Envelope>",
        )
    ),
    b"".join(
        (
            b"\1<s:Envelope><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring>",
            b"<detail><UPnPError><errorCode>718</errorCode><errorDescription>Conflict</errorDescription></UPnPError>",
            b"</detail></s:Fault></s:Body></s:Envelope>",
        )
    ),
    b"\2<html/>",
    b"\3",
)

HTTP_WORDS = (
    *(b"\r\n", b"\r\n\r\n", b"\0", b"0\r\n\r\n", b"1\r\nx\r\n", b"-1\r\n", b"-" + b"f" * 20 + b"\r\n", b": ", b"\xff"),
    *(b"HTTP/1.1 100 Continue\r\n\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 9\r\n", b"a: b\r\n"),
    *(b"Content-Type: multipart/x; boundary=x\r\n", b"x" * 500, b"Content-Length: " + b"9" * 5000),
)
RESPONSES = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 5\r\nServer: x\r\nConnection: close\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://192.168.1.2/\r\n\r\n",
)
