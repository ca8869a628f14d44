#!/usr/bin/env python3
"""签名、发出、核对回答的签名。规则见 docs/institutions/signing.md。

用法: python3 signed_call.py 私钥.pem 平台公钥.pem 方法 网址 [JSON 内容] [Idempotency-Key]

Ed25519 用 cryptography(pip install cryptography);SM2 用 gmssl(pip install gmssl)。
"""

import base64
import hashlib
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


def der(pem):
    lines = [line.strip() for line in pem.splitlines()]
    return base64.b64decode("".join(line for line in lines if line and not line.startswith("-----")))


class Ed25519:
    """方案 A:Ed25519,摘要 sha-256。"""

    digest_name = "sha-256"

    @staticmethod
    def digest(data):
        return hashlib.sha256(data).digest()

    @staticmethod
    def sign(pem, data):
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        return load_pem_private_key(pem.encode(), None).sign(data)

    @staticmethod
    def verify(pem, data, signature):
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            load_pem_public_key(pem.encode()).verify(signature, data)
            return True
        except InvalidSignature:
            return False

    @staticmethod
    def public_of(pem):
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

        return load_pem_private_key(pem.encode(), None).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Sm2:
    """方案 B:SM2(用户标识 1234567812345678),摘要 sm3,签名是 r 和 s 各 32 字节连在一起。"""

    digest_name = "sm3"
    # 公钥的 DER 开头是固定的,后面是 04、x、y。
    spki_head = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")

    @staticmethod
    def digest(data):
        from gmssl import func, sm3

        return bytes.fromhex(sm3.sm3_hash(func.bytes_to_list(data)))

    @staticmethod
    def crypt(private, public):
        from gmssl import sm2

        crypt = sm2.CryptSM2(private_key=private, public_key="00")
        # 不经过构造函数:它会把公钥开头的 0 和 4 都删掉。
        crypt.public_key = public
        return crypt

    @staticmethod
    def point(data):
        return data[data.index(b"\x03\x42\x00\x04") + 4 :][:64].hex()

    @classmethod
    def sign(cls, pem, data):
        key = der(pem)
        private = key[key.index(b"\x02\x01\x01\x04\x20") + 5 :][:32].hex()
        # 自己给随机数:gmssl 默认用的不是密码学随机数,会泄露私钥。
        return bytes.fromhex(cls.crypt(private, cls.point(key)).sign_with_sm3(data, secrets.token_hex(32)))

    @classmethod
    def verify(cls, pem, data, signature):
        return len(signature) == 64 and bool(cls.crypt("", cls.point(der(pem))).verify_with_sm3(signature.hex(), data))

    @classmethod
    def public_of(cls, pem):
        return cls.spki_head + b"\x04" + bytes.fromhex(cls.point(der(pem)))


def profile_of(pem):
    """密钥自己说明是哪种算法:SM2 的 DER 里有曲线标识 1.2.156.10197.1.301。"""
    return Sm2 if bytes.fromhex("2a811ccf5501822d") in der(pem) else Ed25519


def content_digest(profile, body):
    return f"{profile.digest_name}=:{base64.b64encode(profile.digest(body)).decode()}:"


def sign_request(private_pem, method, url, body, idempotency_key):
    """要加在请求上的头。"""
    profile, parts = profile_of(private_pem), urllib.parse.urlsplit(url)
    authority = parts.netloc.lower()
    if (parts.scheme, parts.port) in (("http", 80), ("https", 443)):
        authority = authority.rsplit(":", 1)[0]
    lines = [("@method", method), ("@authority", authority), ("@path", parts.path or "/"), ("@query", "?" + parts.query)]
    headers = {}
    if body:
        headers["Content-Type"] = "application/json"
        headers["Content-Digest"] = content_digest(profile, body)
        lines.append(("content-digest", headers["Content-Digest"]))
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
        lines.append(("idempotency-key", idempotency_key))
    key_id = profile.digest(profile.public_of(private_pem)).hex()[:32]
    names = " ".join(f'"{name}"' for name, _ in lines)
    params = f'({names});created={int(time.time())};nonce="{secrets.token_urlsafe(18)}";keyid="{key_id}"'
    base = "".join(f'"{name}": {value}\n' for name, value in lines) + f'"@signature-params": {params}'
    signature = base64.b64encode(profile.sign(private_pem, base.encode())).decode()
    headers["Signature-Input"] = f"sig1={params}"
    headers["Signature"] = f"sig1=:{signature}:"
    return headers


def check_answer(platform_pem, status, headers, body, request_signature):
    """回答是不是平台签的、是不是答这一个请求的。"""
    profile = profile_of(platform_pem)
    digest, given, signature = (headers.get(name) for name in ("Content-Digest", "Signature-Input", "Signature"))
    if not (digest and given and signature):
        raise ValueError("回答没有平台签名,不能当作结果")
    if digest != content_digest(profile, body):
        raise ValueError("回答的内容和摘要对不上")
    key_id = profile.digest(der(platform_pem)).hex()[:32]
    if not given.startswith('sig1=("@status" "content-digest" "signature";req);created=') or not given.endswith(f';keyid="{key_id}"'):
        raise ValueError("回答不是用这把平台密钥、按约定的写法签的")
    base = f'"@status": {status}\n"content-digest": {digest}\n"signature";req: {request_signature}\n"@signature-params": {given[len("sig1=") :]}'
    if not profile.verify(platform_pem, base.encode(), base64.b64decode(signature[len("sig1=:") : -1])):
        raise ValueError("回答的签名核对不上,不能当作结果")


def main(private_path, platform_path, method, url, text="", idempotency_key=""):
    with open(private_path, encoding="ascii") as file:
        private_pem = file.read()
    with open(platform_path, encoding="ascii") as file:
        platform_pem = file.read()
    body = text.encode()
    headers = sign_request(private_pem, method, url, body, idempotency_key)
    request = urllib.request.Request(url, data=body or None, headers=headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            status, answered, content = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refusal:
        status, answered, content = refusal.code, refusal.headers, refusal.read()
    print(status)
    print(content.decode())
    check_answer(platform_pem, status, answered, content, headers["Signature"])
    print("回答的签名核对无误")


if __name__ == "__main__":
    if not 5 <= len(sys.argv) <= 7:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except ValueError as why:
        sys.exit(str(why))
