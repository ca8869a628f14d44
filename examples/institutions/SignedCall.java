import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * 签名、发出、核对回答的签名,只用 JDK 17 自带的东西。规则见 docs/institutions/signing.md。
 *
 * <p>用法: java SignedCall.java 私钥.pem 机构公钥.pem 平台公钥.pem 方法 网址 [JSON 内容] [Idempotency-Key]
 *
 * <p>只做方案 A(Ed25519)。SM2 可以用 Bouncy Castle:SM2Signer 配 PlainDSAEncoding(r 和 s 各 32 字节),用户标识
 * 1234567812345678,摘要 SM3;其余一样。
 */
public final class SignedCall {
    private static final Base64.Encoder BASE64 = Base64.getEncoder();

    public static void main(String[] args) throws Exception {
        if (args.length < 5 || args.length > 7) {
            System.err.println("用法: java SignedCall.java 私钥.pem 机构公钥.pem 平台公钥.pem 方法 网址 [JSON 内容] [Idempotency-Key]");
            System.exit(1);
        }
        KeyFactory keys = KeyFactory.getInstance("Ed25519");
        PrivateKey own = keys.generatePrivate(new PKCS8EncodedKeySpec(der(args[0])));
        PublicKey ownPublic = keys.generatePublic(new X509EncodedKeySpec(der(args[1])));
        PublicKey platform = keys.generatePublic(new X509EncodedKeySpec(der(args[2])));
        String method = args[3];
        URI url = URI.create(args[4]);
        byte[] body = (args.length > 5 ? args[5] : "").getBytes(StandardCharsets.UTF_8);
        String idempotencyKey = args.length > 6 ? args[6] : "";

        Map<String, String> headers = signRequest(own, ownPublic, method, url, body, idempotencyKey);
        var content = body.length > 0 ? HttpRequest.BodyPublishers.ofByteArray(body) : HttpRequest.BodyPublishers.noBody();
        HttpRequest.Builder request = HttpRequest.newBuilder(url).method(method, content).timeout(Duration.ofSeconds(20));
        headers.forEach(request::header);
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        HttpResponse<byte[]> answer = client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
        System.out.println(answer.statusCode());
        System.out.println(new String(answer.body(), StandardCharsets.UTF_8));
        String wrong = checkAnswer(platform, answer, headers.get("Signature"));
        if (wrong != null) {
            System.err.println(wrong);
            System.exit(1);
        }
        System.out.println("回答的签名核对无误");
    }

    /** 要加在请求上的头。 */
    static Map<String, String> signRequest(PrivateKey key, PublicKey publicKey, String method, URI url, byte[] body, String idempotencyKey)
            throws GeneralSecurityException {
        boolean isUsualPort = url.getPort() == -1 || url.getPort() == ("https".equals(url.getScheme()) ? 443 : 80);
        String authority = url.getHost().toLowerCase(Locale.ROOT) + (isUsualPort ? "" : ":" + url.getPort());
        Map<String, String> lines = new LinkedHashMap<>();
        lines.put("@method", method);
        lines.put("@authority", authority);
        lines.put("@path", url.getRawPath().isEmpty() ? "/" : url.getRawPath());
        lines.put("@query", "?" + (url.getRawQuery() == null ? "" : url.getRawQuery()));
        Map<String, String> headers = new LinkedHashMap<>();
        if (body.length > 0) {
            headers.put("Content-Type", "application/json");
            headers.put("Content-Digest", contentDigest(body));
            lines.put("content-digest", headers.get("Content-Digest"));
        }
        if (!idempotencyKey.isEmpty()) {
            headers.put("Idempotency-Key", idempotencyKey);
            lines.put("idempotency-key", idempotencyKey);
        }
        byte[] random = new byte[18];
        new SecureRandom().nextBytes(random);
        String nonce = Base64.getUrlEncoder().withoutPadding().encodeToString(random);
        String names = lines.keySet().stream().map(name -> "\"" + name + "\"").collect(Collectors.joining(" "));
        String params = "(" + names + ");created=" + Instant.now().getEpochSecond() + ";nonce=\"" + nonce + "\";keyid=\"" + keyId(publicKey) + "\"";
        StringBuilder base = new StringBuilder();
        lines.forEach((name, value) -> base.append('"').append(name).append("\": ").append(value).append('\n'));
        base.append("\"@signature-params\": ").append(params);
        Signature signer = Signature.getInstance("Ed25519");
        signer.initSign(key);
        signer.update(base.toString().getBytes(StandardCharsets.UTF_8));
        headers.put("Signature-Input", "sig1=" + params);
        headers.put("Signature", "sig1=:" + BASE64.encodeToString(signer.sign()) + ":");
        return headers;
    }

    /** 回答是不是平台签的、是不是答这一个请求的。null 就是核对无误,否则是原因。 */
    static String checkAnswer(PublicKey platform, HttpResponse<byte[]> answer, String requestSignature) throws GeneralSecurityException {
        String digest = answer.headers().firstValue("Content-Digest").orElse("");
        String given = answer.headers().firstValue("Signature-Input").orElse("");
        String signature = answer.headers().firstValue("Signature").orElse("");
        if (digest.isEmpty() || given.isEmpty() || signature.isEmpty()) {
            return "回答没有平台签名,不能当作结果";
        }
        if (!digest.equals(contentDigest(answer.body()))) {
            return "回答的内容和摘要对不上";
        }
        boolean isAgreed = given.startsWith("sig1=(\"@status\" \"content-digest\" \"signature\";req);created=")
                && given.endsWith(";keyid=\"" + keyId(platform) + "\"")
                && signature.startsWith("sig1=:")
                && signature.endsWith(":");
        if (!isAgreed) {
            return "回答不是用这把平台密钥、按约定的写法签的";
        }
        String base = "\"@status\": " + answer.statusCode() + "\n\"content-digest\": " + digest + "\n\"signature\";req: " + requestSignature
                + "\n\"@signature-params\": " + given.substring("sig1=".length());
        Signature verifier = Signature.getInstance("Ed25519");
        verifier.initVerify(platform);
        verifier.update(base.getBytes(StandardCharsets.UTF_8));
        byte[] raw = Base64.getDecoder().decode(signature.substring("sig1=:".length(), signature.length() - 1));
        return verifier.verify(raw) ? null : "回答的签名核对不上,不能当作结果";
    }

    static String contentDigest(byte[] body) throws GeneralSecurityException {
        return "sha-256=:" + BASE64.encodeToString(MessageDigest.getInstance("SHA-256").digest(body)) + ":";
    }

    /** 公钥(SPKI 的 DER)的摘要,前 32 位十六进制。 */
    static String keyId(PublicKey key) throws GeneralSecurityException {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(key.getEncoded())).substring(0, 32);
    }

    static byte[] der(String path) throws java.io.IOException {
        String pem = Files.readString(Path.of(path), StandardCharsets.US_ASCII);
        return Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
    }
}
