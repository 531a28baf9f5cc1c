package dev.guestcore.cli;

import dev.guestcore.file.Locations;
import dev.guestcore.inspect.MemoryMap;
import dev.guestcore.inspect.RegionScan;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import java.util.LinkedHashMap;
import java.util.Map;

/** The map of guest-physical memory for programs. */
final class MapJson {

    private MapJson() {}

    /** The map of what {@code source} names. */
    static Map<String, Object> of(MemoryMap map, String source) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("source", Locations.printable(source));
        document.put("title", map.title());
        document.put("origin", map.origin());
        document.put("scanned", map.isScanned());
        document.put("regionCount", map.summary().regionCount());
        document.put("rows", map.rows().stream().map(MapJson::row).toList());
        return document;
    }

    private static Map<String, Object> row(MemoryMap.Row row) {
        Map<String, Object> json = new LinkedHashMap<>(Json.range(row.range()));
        switch (row) {
            case MemoryMap.Hole hole -> json.put("kind", "hole");
            case MemoryMap.Area area -> {
                json.put("kind", area.bytes().size() == 1 ? Names.of(area.kind()) : "mixed");
                json.put("name", area.name());
                json.put("regionCount", area.regionCount());
                Map<String, Object> bytes = new LinkedHashMap<>();
                area.bytes().forEach((kind, count) -> bytes.put(Names.of(kind), count));
                json.put("bytes", bytes);
                area.scan().filter(scan -> scan.pages() > 0).ifPresent(scan -> json.put("scan", scan(scan)));
            }
        }
        return json;
    }

    private static Map<String, Object> scan(RegionScan scan) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("pages", scan.pages());
        json.put("density", scan.density());
        return json;
    }
}
