import java.io.*;
import java.nio.charset.StandardCharsets;
import java.security.*;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.*;
import javax.crypto.*;
import javax.crypto.spec.*;

/**
 * Java's own keystores for the tests: one process answers one request per line, fields between tabs, all of them
 * base64 of UTF-8 text or of bytes. "-" stands for no password.
 */
public class KeystorePeer {
  static final Base64.Decoder decoder = Base64.getDecoder();

  public static void main(String[] arguments) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] fields = line.split("\t", -1);
      String answer;
      try {
        answer = answer(fields);
      } catch (Exception error) {
        answer = "!" + text(String.valueOf(error).getBytes(StandardCharsets.UTF_8));
      }
      System.out.println(answer);
      System.out.flush();
    }
  }

  static String answer(String[] fields) throws Exception {
    switch (fields[0]) {
      case "read": return read(fields[1], bytes(fields[2]), chars(fields[3]), chars(fields[4]));
      case "write": return write(fields[1], chars(fields[2]), chars(fields[3]), Arrays.copyOfRange(fields, 4, fields.length));
      case "seal": return seal(chars(fields[1]), bytes(fields[2]), Integer.parseInt(fields[3]), bytes(fields[4]));
      default: throw new IllegalArgumentException(fields[0]);
    }
  }

  /** Entries as "alias,kind,milliseconds,key,certificate,certificate…", sorted by alias. */
  static String read(String type, byte[] store, char[] storePassword, char[] keyPassword) throws Exception {
    KeyStore keystore = KeyStore.getInstance(type);
    keystore.load(new ByteArrayInputStream(store), storePassword);
    List<String> entries = new ArrayList<>();
    for (String alias : new TreeSet<>(Collections.list(keystore.aliases()))) {
      List<String> parts = new ArrayList<>(List.of(text(alias.getBytes(StandardCharsets.UTF_8)), keystore.isKeyEntry(alias) ? "key" : "certificate", String.valueOf(keystore.getCreationDate(alias).getTime())));
      parts.add(keystore.isKeyEntry(alias) ? key(keystore, alias, keyPassword) : "");
      Certificate[] chain = keystore.getCertificateChain(alias);
      if (chain == null && keystore.getCertificate(alias) != null) chain = new Certificate[] { keystore.getCertificate(alias) };
      if (chain != null) for (Certificate certificate : chain) parts.add(text(certificate.getEncoded()));
      entries.add(String.join(",", parts));
    }
    return String.join("\t", entries);
  }

  static String key(KeyStore keystore, String alias, char[] password) throws Exception {
    try {
      return text(keystore.getKey(alias, password).getEncoded());
    } catch (UnrecoverableKeyException error) {
      return "locked";
    }
  }

  /** Entries as "alias,key,certificate…"; an empty key makes a trusted certificate, "secret:" before it a secret key. */
  static String write(String type, char[] storePassword, char[] keyPassword, String[] entries) throws Exception {
    KeyStore keystore = KeyStore.getInstance(type);
    keystore.load(null, null);
    for (String entry : entries) {
      String[] parts = entry.split(",", -1);
      String alias = new String(bytes(parts[0]), StandardCharsets.UTF_8);
      Certificate[] chain = new Certificate[parts.length - 2];
      for (int i = 0; i < chain.length; i++) chain[i] = CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(bytes(parts[i + 2])));
      if (parts[1].startsWith("secret:")) keystore.setKeyEntry(alias, new SecretKeySpec(bytes(parts[1].substring(7)), "AES"), keyPassword, null);
      else if (parts[1].isEmpty()) keystore.setCertificateEntry(alias, chain[0]);
      else keystore.setKeyEntry(alias, privateKey(bytes(parts[1])), keyPassword, chain);
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    keystore.store(out, storePassword);
    return text(out.toByteArray());
  }

  static PrivateKey privateKey(byte[] pkcs8) throws Exception {
    for (String algorithm : new String[] { "RSA", "EC", "EdDSA", "DSA", "RSASSA-PSS" }) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
      } catch (GeneralSecurityException error) {
        continue; // a key of another kind
      }
    }
    throw new InvalidKeyException("no key of a kind that this Java knows");
  }

  static String seal(char[] password, byte[] salt, int iterations, byte[] plain) throws Exception {
    SecretKey key = SecretKeyFactory.getInstance("PBEWithMD5AndTripleDES").generateSecret(new PBEKeySpec(password));
    Cipher cipher = Cipher.getInstance("PBEWithMD5AndTripleDES");
    cipher.init(Cipher.ENCRYPT_MODE, key, new PBEParameterSpec(salt, iterations));
    return text(cipher.doFinal(plain));
  }

  static byte[] bytes(String base64) { return decoder.decode(base64); }
  static char[] chars(String field) { return field.equals("-") ? null : new String(bytes(field), StandardCharsets.UTF_8).toCharArray(); }
  static String text(byte[] bytes) { return Base64.getEncoder().encodeToString(bytes); }
}
