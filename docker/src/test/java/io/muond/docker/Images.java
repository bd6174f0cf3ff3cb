package io.muond.docker;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Both variants, built by the Dockerfile. No registry is asked for the bases: under both names
 * there is a Debian made with debootstrap, of the release that the CPU variant wants. So the GPU
 * variant has no library of CUDA.
 */
final class Images {
  static final String CPU = "localhost/muond:cpu";
  static final String GPU = "localhost/muond:gpu";

  /** debootstrap's own. */
  private static final String DEFAULT_MIRROR = "";

  private final Buildah buildah;
  private final Path directory;
  private final String dockerfile;

  private Images(Buildah buildah, Path directory) throws IOException {
    this.buildah = buildah;
    this.directory = directory;
    this.dockerfile = Files.readString(Path.of("Dockerfile"));
  }

  static void build(Buildah buildah, Path directory) throws IOException {
    Images images = new Images(buildah, directory);
    images.makeBases();
    images.build("cpu", CPU);
    images.build("gpu", GPU);
  }

  private String argument(String name) {
    Matcher matcher = Pattern.compile("(?m)^ARG " + name + "=(.+)$").matcher(dockerfile);
    assertThat(matcher.find()).as(name).isTrue();
    return matcher.group(1);
  }

  private void makeBases() throws IOException {
    String base = argument("CPU_BASE");
    String release = base.substring(base.indexOf(':') + 1).replace("-slim", "");
    String root = directory.resolve(release).toAbsolutePath().toString();
    // The script of sid serves the releases that debootstrap is too old to know.
    buildah
        .execute(List.of("debootstrap", "--variant=minbase", release, root, DEFAULT_MIRROR, "sid"))
        .succeeded();
    // A mirror may be a snapshot.
    Path settings = Path.of(root, "etc/apt/apt.conf.d/90snapshot");
    Files.writeString(settings, "Acquire::Check-Valid-Until \"false\";\n");
    // As in Docker's: a build that is interrupted is not continued.
    Files.writeString(Path.of(root, "etc/dpkg/dpkg.cfg.d/unsafe-io"), "force-unsafe-io\n");
    String container = buildah.run("from", "scratch").succeeded().out().get(0);
    buildah.run("copy", "--quiet", container, root, "/").succeeded();
    buildah.run("commit", "--quiet", "--rm", container, base).succeeded();
    buildah.run("tag", base, argument("GPU_BASE")).succeeded();
    buildah.execute(List.of("rm", "-rf", root)).succeeded();
  }

  private void build(String target, String name) throws IOException {
    buildah
        .run(
            "bud",
            "--isolation=chroot",
            "--format=docker",
            "--pull-never",
            "--file=Dockerfile",
            "--target=" + target,
            "--build-arg=CUBLAS=",
            "--build-arg=VERSION=1.2.3",
            "--tag=" + name,
            "..")
        .succeeded();
  }

  /** An image's configuration, as Docker writes it. */
  static JsonObject configuration(Buildah buildah, String image) throws IOException {
    List<String> json = buildah.run("inspect", "--type=image", image).succeeded().out();
    return JsonParser.parseString(String.join("\n", json))
        .getAsJsonObject()
        .getAsJsonObject("Docker")
        .getAsJsonObject("config");
  }
}
