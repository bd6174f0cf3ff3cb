package io.muond.server.metrics;

/** Which build runs. */
final class BuildVersion {
  private BuildVersion() {}

  /** The version in the jar's manifest. */
  static String get() {
    String version = BuildVersion.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }
}
