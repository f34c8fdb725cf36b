"""Small files of hospitals' devices, made byte by byte after their specifications.

Each holds two leads, I and II, of digital values at 5 µV a step and 500 Hz, begun on 2020-03-04 at
05:06:07, of the patient P1.
"""

from __future__ import annotations

import base64
import binascii
import struct

import numpy as np
from numpy.typing import NDArray

Digital = NDArray[np.int16]


def ishne(digital: Digital, step: int = 5000, announced: int | None = None) -> bytes:
    """ISHNE Holter: Badilini, Ann. Noninvasive Electrocardiol. 3 (1998) 263.

    Args:
        digital: (time, leads).
        step: in nV.
        announced: number of samples in the header, if not the true one.
    """
    samples, leads = digital.shape
    block = struct.pack(
        "<iiii", 0, samples if announced is None else announced, 522, 522
    ) + struct.pack("<h", 1)
    block += b"Ada".ljust(40, b"\0") + b"Byron".ljust(40, b"\0") + b"P1".ljust(20, b"\0")
    block += struct.pack("<hh", 2, 0) + struct.pack("<hhh", 10, 12, 1980)
    block += struct.pack("<hhh", 4, 3, 2020) + struct.pack("<hhh", 4, 3, 2020)
    block += struct.pack("<hhh", 5, 6, 7) + struct.pack("<h", leads)
    # Codes of the leads (I, II), their quality, and nV a step.
    block += struct.pack("<12h", 5, 6, *[-9] * 10) + struct.pack("<12h", *[0] * 12)
    block += struct.pack("<12h", step, step, *[-9] * 10)
    block += struct.pack("<h", 0) + b"digital".ljust(40, b"\0") + struct.pack("<h", 500)
    block = block.ljust(512, b"\0")
    checksum = binascii.crc_hqx(block, 0xFFFF)
    return b"ISHNE1.0" + struct.pack("<H", checksum) + block + digital.astype("<i2").tobytes()


def aecg(digital: Digital) -> bytes:
    """HL7 annotated ECG, the elements that carry a rhythm strip."""
    leads = "".join(
        f'<component><sequence><code code="MDC_ECG_LEAD_{name}"/><value xsi:type="SLIST_PQ">'
        f'<origin value="0" unit="uV"/><scale value="5" unit="uV"/>'
        f"<digits>{' '.join(map(str, column.tolist()))}</digits></value></sequence></component>"
        for name, column in zip(("I", "II"), digital.T, strict=True)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<effectiveTime><low value="20200304050607"/></effectiveTime>
<componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>
<id root="1.2.3" extension="P1"/><subjectDemographicPerson>
<administrativeGenderCode code="F"/><birthTime value="19801210"/>
</subjectDemographicPerson></trialSubject></subject></subjectAssignment></componentOf>
</timepointEvent></componentOf>
<component><series><code code="RHYTHM"/>
<effectiveTime><low value="20200304050607"/></effectiveTime>
<component><sequenceSet>
<component><sequence><code code="TIME_ABSOLUTE"/><value xsi:type="GLIST_TS">
<head value="20200304050607"/><increment value="0.002" unit="s"/></value></sequence></component>
{leads}</sequenceSet></component></series></component></AnnotatedECG>""".encode()


def muse(digital: Digital) -> bytes:
    """GE MUSE XML, the elements that carry a rhythm strip."""
    leads = "".join(
        f"<LeadData><LeadByteCountTotal>{2 * len(column)}</LeadByteCountTotal>"
        f"<LeadSampleCountTotal>{len(column)}</LeadSampleCountTotal>"
        "<LeadAmplitudeUnitsPerBit>5</LeadAmplitudeUnitsPerBit>"
        "<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>"
        f"<LeadID>{name}</LeadID><LeadSampleSize>2</LeadSampleSize>"
        f"<WaveFormData>{base64.b64encode(column.astype('<i2').tobytes()).decode()}"
        "</WaveFormData></LeadData>"
        for name, column in zip(("I", "II"), digital.T, strict=True)
    )
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<RestingECG><MuseInfo><MuseVersion>8</MuseVersion></MuseInfo>
<PatientDemographics><PatientID>P1</PatientID><DateofBirth>12-10-1980</DateofBirth>
<Gender>FEMALE</Gender></PatientDemographics>
<TestDemographics><AcquisitionDate>03-04-2020</AcquisitionDate>
<AcquisitionTime>05:06:07</AcquisitionTime></TestDemographics>
<Diagnosis><DiagnosisStatement><StmtText>Sinus rhythm</StmtText></DiagnosisStatement></Diagnosis>
<Waveform><WaveformType>Rhythm</WaveformType><SampleBase>500</SampleBase>
<SampleExponent>0</SampleExponent>{leads}</Waveform></RestingECG>""".encode("latin-1")


def scp(digital: Digital, firsts: tuple[int, int] = (1, 1)) -> bytes:
    """SCP-ECG (EN 1064), without compression: sections 0, 1, 3 and 6.

    Args:
        digital: (time, leads).
        firsts: number of the first sample of each lead.
    """
    samples, leads = digital.shape
    tags = b"".join(
        struct.pack("<BH", tag, len(value)) + value
        for tag, value in (
            (2, b"P1\0"),
            (25, struct.pack("<HBB", 2020, 3, 4)),
            (26, struct.pack("<BBB", 5, 6, 7)),
            (255, b""),
        )
    )
    places = b"".join(
        struct.pack("<IIB", first, first + samples - 1, number)
        for number, first in enumerate(firsts, 1)
    )
    rhythm = struct.pack("<HHBB", 5000, 2000, 0, 0) + struct.pack(f"<{leads}H", *[2 * samples] * 2)
    rhythm += digital.T.astype("<i2").tobytes()
    bodies = {
        1: tags,
        3: struct.pack("<BB", leads, (4 if len({*firsts}) == 1 else 0) | leads << 3) + places,
        6: rhythm,
    }
    sections, pointers, at = b"", [], 6 + 16 + 12 * 10
    pointers.append(struct.pack("<HII", 0, 16 + 12 * 10, 7))
    for number in range(1, 12):
        body = bodies.get(number)
        if body is None:
            pointers.append(struct.pack("<HII", number, 0, 0))
            continue
        body += b"\0" * (len(body) % 2)
        section = _section(number, body, b"\0" * 6)
        pointers.append(struct.pack("<HII", number, len(section), at + 1))
        sections += section
        at += len(section)
    record = _section(0, b"".join(pointers), b"SCPECG") + sections
    record = struct.pack("<I", 6 + len(record)) + record
    return struct.pack("<H", binascii.crc_hqx(record, 0xFFFF)) + record


def _section(number: int, body: bytes, reserved: bytes) -> bytes:
    head = struct.pack("<HIBB", number, 16 + len(body), 20, 20) + reserved
    return struct.pack("<H", binascii.crc_hqx(head + body, 0xFFFF)) + head + body


def mortara(digital: Digital) -> bytes:
    """Mortara ELI XML, the elements that carry a rhythm strip."""
    leads = "".join(
        f'<CHANNEL NAME="{name}" OFFSET="0" BITS="16" FORMAT="SIGNED" UNITS_PER_MV="200" '
        f'DURATION="{len(column)}" SAMPLE_FREQ="500" ENCODING="BASE64" DATA="'
        f'{base64.b64encode(column.astype("<i2").tobytes()).decode()}"/>'
        for name, column in zip(("I", "II"), digital.T, strict=True)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ECG ACQUISITION_TIME="20200304050607"><SUBJECT LAST_NAME="Byron" FIRST_NAME="Ada" ID="P1"
GENDER="Female" DOB="19801210"/><SOURCE MANUFACTURER="MORTARA" MODEL="ELI"/>{leads}</ECG>
""".encode()


def philips(digital: Digital, head: str = "") -> bytes:
    """Philips Sierra XML 1.03 without compression; ``head`` stands before the root."""
    data = base64.b64encode(digital.T.astype("<i2").tobytes()).decode()
    count = digital.shape[1]
    names = "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6".split()[:count]
    return f"""<?xml version="1.0" encoding="UTF-8"?>{head}
<restingecgdata xmlns="http://www3.medical.philips.com">
<documentinfo><documenttype>SierraECG</documenttype><documentversion>1.03</documentversion>
</documentinfo><dataacquisition date="2020-03-04" time="05:06:07"><signalcharacteristics>
<samplingrate>500</samplingrate><signalresolution>5</signalresolution>
<acquisitiontype>STD-12</acquisitiontype><bitspersample>16</bitspersample>
<signaloffset>0</signaloffset><signalsigned>True</signalsigned>
<numberchannelsallocated>{count}</numberchannelsallocated>
<numberchannelsvalid>{count}</numberchannelsvalid><leadset>STD-12</leadset>
</signalcharacteristics></dataacquisition>
<patient><generalpatientdata><patientid>P1</patientid></generalpatientdata></patient>
<waveforms><parsedwaveforms dataencoding="Base64" durationperchannel="{len(digital) * 2}"
numberofleads="{count}" leadlabels="{" ".join(names)}">{data}</parsedwaveforms></waveforms>
</restingecgdata>""".encode()


def mfer(digital: Digital) -> bytes:
    """MFER (ISO 22077-1), little-endian, one frame of a block for each channel."""
    samples, leads = digital.shape
    data = digital.T.astype("<i2").tobytes()
    names = b"".join(b"\x3f" + bytes((i, 3, 0x09, 1, i + 1)) for i in range(leads))
    start = struct.pack("<HBBBBBHH", 2020, 3, 4, 5, 6, 7, 0, 0)
    content: bytes = (
        b"\x40\x20"
        + b"MFR Standard 12 leads ECG".ljust(32)
        + b"\x01\x01\x01"
        + b"\x82\x02P1"
        + b"\x85"
        + bytes((len(start),))
        + start
        + b"\x04\x04"
        + struct.pack("<I", samples)
        + b"\x05\x01"
        + bytes((leads,))
        + b"\x06\x01\x01"
        + b"\x0a\x01\x00"
        + b"\x0b\x04\x00\x00"
        + struct.pack("<H", 500)
        + b"\x0c\x04\x00\xfa"
        + struct.pack("<H", 5)
        + names
        + b"\x1e\x84"
        + struct.pack(">I", len(data))
        + data
        + b"\x80\x00"
    )
    return content


def edan(digital: Digital) -> tuple[bytes, bytes]:
    """EDAN's ``patient.hea`` and ``ecgraw.dat``: three leads I, II and V1; no scale is stated."""
    head = bytearray(3672)
    head[4:12] = struct.pack("<II", 1583298367, 1583298367 + len(digital) // 500)
    head[12], head[32:34], head[108:110] = 3, struct.pack("<h", 500), b"P1"
    for i, name in enumerate((b"I", b"II", b"V1")):
        head[1796 + 8 * i : 1796 + 8 * i + len(name)] = name
    wide = np.column_stack([digital, digital[:, 0]]).astype(np.int32) + 16384
    return bytes(head), wide.astype("<u2").tobytes()


def xle(digital: Digital) -> bytes:
    """XLE: text in swapped 16-bit words, then eight channels, of which two are filled."""
    head = bytearray(0x40000)
    for label, at, value in (
        ("Given name", 2673, "Ada"),
        ("Family name", 2712, "Byron"),
        ("ID", 2761, "P1"),
        ("Birth Date", 2793, ""),
        ("Sex", 2840, "F"),
        ("History", 2876, ""),
        ("Comment", 2916, ""),
    ):
        text = f"{label}:{value}".encode()
        head[at : at + len(text)] = text
    head[0::2], head[1::2] = head[1::2], head[0::2]
    wide = np.zeros((len(digital), 8), "<i2")
    wide[:, :2] = digital
    return bytes(head) + wide.tobytes()


FILES = {
    "ishne.ecg": ishne,
    "aecg.xml": aecg,
    "muse.xml": muse,
    "scp.scp": scp,
    "mortara.xml": mortara,
    "philips.xml": philips,
    "mfer.mwf": mfer,
}
