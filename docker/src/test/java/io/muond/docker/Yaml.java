package io.muond.docker;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.constructor.SafeConstructor;

/** A place in a YAML document. */
record Yaml(Object value) {
  /** Every document of a file, the empty ones left out. */
  static List<Yaml> documents(String text) {
    List<Yaml> documents = new ArrayList<>();
    new org.yaml.snakeyaml.Yaml(new SafeConstructor(new LoaderOptions()))
        .loadAll(text)
        .forEach(document -> documents.add(new Yaml(document)));
    documents.removeIf(document -> document.value == null);
    return documents;
  }

  /** What is at {@code keys}, names of mappings and indices of sequences; null if nothing is. */
  Object at(Object... keys) {
    Object at = value;
    for (Object key : keys) {
      if (at instanceof Map<?, ?> map) {
        at = map.get(key);
      } else if (at instanceof List<?> list && key instanceof Integer index) {
        at = index < list.size() ? list.get(index) : null;
      } else {
        return null;
      }
    }
    return at;
  }

  /** The part there. */
  Yaml part(Object... keys) {
    return new Yaml(at(keys));
  }

  /** The entries of the sequence there. */
  List<Yaml> list(Object... keys) {
    return ((List<?>) at(keys)).stream().map(Yaml::new).toList();
  }

  /** What {@code key} says in each mapping of the sequence there. */
  List<Object> each(Object key, Object... keys) {
    return at(keys) instanceof List<?> list
        ? list.stream().map(entry -> new Yaml(entry).at(key)).toList()
        : List.of();
  }

  /** The mapping in the sequence there that has this name. */
  Yaml named(String name, Object... keys) {
    if (at(keys) instanceof List<?> list) {
      for (Object entry : list) {
        if (name.equals(new Yaml(entry).at("name"))) {
          return new Yaml(entry);
        }
      }
    }
    return new Yaml(null);
  }
}
