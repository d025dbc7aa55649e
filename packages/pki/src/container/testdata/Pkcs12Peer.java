import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.Key;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.Certificate;
import java.util.Collections;
import java.util.HexFormat;
import java.util.Scanner;
import java.util.TreeSet;

/**
 * Java's side of the PKCS#12 tests: one process for many files. Every line of standard input is one job, its words
 * parted by tabs; passwords are UTF-8 in hex, "-" for null. One line of output per job.
 *   read FILE PASSWORD                      alias=kind:key digest:certificate digests, sorted by alias
 *   copy FILE PASSWORD FILE PASSWORD        writes the entries of the first keystore into a new one
 */
public class Pkcs12Peer {
  public static void main(String[] args) {
    Scanner input = new Scanner(System.in, StandardCharsets.UTF_8);
    while (input.hasNextLine()) {
      String[] words = input.nextLine().split("\t", -1);
      String answer;
      try {
        answer = words[0].equals("read") ? read(load(words[1], words[2]), words[2]) : copy(words);
      } catch (Exception error) {
        answer = "refused " + error;
      }
      System.out.println(answer.replace('\n', ' '));
    }
  }

  static char[] password(String hex) {
    return hex.equals("-") ? null : new String(HexFormat.of().parseHex(hex), StandardCharsets.UTF_8).toCharArray();
  }

  static KeyStore load(String file, String password) throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (FileInputStream stream = new FileInputStream(file)) {
      store.load(stream, password(password));
    }
    return store;
  }

  static String digest(byte[] bytes) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
  }

  static String read(KeyStore store, String password) throws Exception {
    StringBuilder answer = new StringBuilder();
    for (String alias : new TreeSet<>(Collections.list(store.aliases()))) {
      answer.append(alias).append('=');
      if (store.isKeyEntry(alias)) {
        Key key = store.getKey(alias, password(password));
        answer.append("key:").append(digest(key.getEncoded()));
        for (Certificate certificate : store.getCertificateChain(alias)) answer.append(':').append(digest(certificate.getEncoded()));
      } else {
        answer.append("certificate:").append(digest(store.getCertificate(alias).getEncoded()));
      }
      answer.append(' ');
    }
    return answer.toString().trim();
  }

  static String copy(String[] words) throws Exception {
    KeyStore from = load(words[1], words[2]);
    KeyStore to = KeyStore.getInstance("PKCS12");
    to.load(null, null);
    for (String alias : Collections.list(from.aliases())) {
      if (from.isKeyEntry(alias)) to.setKeyEntry(alias, from.getKey(alias, password(words[2])), password(words[4]), from.getCertificateChain(alias));
      else to.setCertificateEntry(alias, from.getCertificate(alias));
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    to.store(bytes, password(words[4]));
    try (FileOutputStream stream = new FileOutputStream(words[3])) {
      stream.write(bytes.toByteArray());
    }
    return "copied";
  }
}
