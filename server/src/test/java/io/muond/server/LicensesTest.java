package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Both self-contained jars carry the licence and the notice of everything that they hold. */
class LicensesTest {
  /** Under which something may be bundled with what is under the Apache licence itself. */
  private static final Set<String> ALLOWED =
      Set.of(
          "Apache-2.0",
          "BSD-2-Clause",
          "BSD-3-Clause",
          "GPL-3.0-with-GCC-exception",
          "LGPL-2.1",
          "MIT");

  /** A licence is known by so many words; the rest differs in addresses and line breaks. */
  private static final int TITLE_WORDS = 12;

  private static final Pattern TEXT =
      Pattern.compile("META-INF/(LICENSE|NOTICE)(\\.(txt|md))?", Pattern.CASE_INSENSITIVE);

  /**
   * A dependency that is bundled.
   *
   * @param name {@code group:artifact}
   */
  private record Bundled(String name, Path jar) {
    /** Of a line {@code group:artifact:type[:classifier]:version:scope:path}. */
    static Bundled of(String line) {
      String[] parts = line.split(":", -1);
      return new Bundled(parts[0] + ":" + parts[1], Path.of(parts[parts.length - 1]));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"../client", "."})
  void everyBundledDependencyHasItsTexts(String module) throws IOException {
    Path folder = Path.of(module, "target/classes/META-INF/licenses");
    Map<String, List<Path>> texts = index(folder);
    List<Bundled> all = bundled(Path.of(module, "target/bundled.txt"));
    assertThat(all).hasSizeGreaterThan(10);
    assertThat(texts.keySet()).containsAll(all.stream().map(Bundled::name).toList());
    assertThat(all.stream().map(Bundled::name).toList()).containsAll(texts.keySet());
    for (Bundled dependency : all) {
      List<String> carried = texts.get(dependency.name()).stream().map(LicensesTest::read).toList();
      for (String own : ownTexts(dependency.jar())) {
        assertThat(carried).as(dependency.name()).anyMatch(text -> text.startsWith(own));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"../client", "."})
  void everyLicenceIsAllowed(String module) throws IOException {
    Map<String, List<String>> licences =
        columns(Path.of(module, "target/classes/META-INF/licenses"), 1);
    assertThat(licences).hasSizeGreaterThan(10);
    licences.forEach((name, own) -> assertThat(ALLOWED).as(name).containsAll(own));
  }

  /** The dependencies that the build listed, the project's own modules aside. */
  private static List<Bundled> bundled(Path list) throws IOException {
    return Files.readString(list)
        .replaceAll("\u001b\\[[0-9;]*m", "")
        .lines()
        .map(line -> line.strip().replaceFirst(" -- module .*", ""))
        .filter(line -> line.matches("[\\w.-]+:[\\w.-]+:jar:.*") && !line.startsWith("io.muond:"))
        .map(Bundled::of)
        .toList();
  }

  /** The texts of each artifact. */
  private static Map<String, List<Path>> index(Path folder) throws IOException {
    Map<String, List<Path>> texts = new HashMap<>();
    columns(folder, 2)
        .forEach((name, files) -> texts.put(name, files.stream().map(folder::resolve).toList()));
    return texts;
  }

  /** What a column of the indices says of each artifact. */
  private static Map<String, List<String>> columns(Path folder, int column) throws IOException {
    Map<String, List<String>> values = new HashMap<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(f -> f.toString().contains("THIRD-PARTY")).toList()) {
        for (String line : Files.readAllLines(file)) {
          if (!line.startsWith("#")) {
            String[] columns = line.split("\\s+", -1);
            values.put(columns[0], List.of(columns[column].split(",", -1)));
          }
        }
      }
    }
    return values;
  }

  /** What the dependency's jar itself holds: notices whole, licences by their titles. */
  private static List<String> ownTexts(Path jar) throws IOException {
    List<String> own = new ArrayList<>();
    try (JarFile file = new JarFile(jar.toFile())) {
      for (ZipEntry entry :
          file.stream().filter(e -> TEXT.matcher(e.getName()).matches()).toList()) {
        String text =
            words(new String(file.getInputStream(entry).readAllBytes(), StandardCharsets.UTF_8));
        own.add(
            entry.getName().toUpperCase(Locale.ROOT).contains("NOTICE")
                ? text
                : Stream.of(text.split(" ", -1))
                    .limit(TITLE_WORDS)
                    .collect(Collectors.joining(" ")));
      }
    }
    return own;
  }

  private static String read(Path file) {
    try {
      return words(Files.readString(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String words(String text) {
    return text.strip().replace("http:", "https:").replaceAll("\\s+", " ");
  }
}
