package dev.guestcore.cli;

import dev.guestcore.json.Json;
import dev.guestcore.linux.KernelImage;
import java.util.LinkedHashMap;
import java.util.Map;

/** The kernel's image for programs. */
final class KernelImageJson {

    private KernelImageJson() {}

    static Map<String, Object> of(KernelImage image) {
        Map<String, Object> json = new LinkedHashMap<>();
        image.release().ifPresent(release -> json.put("release", release));
        image.banner().ifPresent(banner -> json.put("banner", banner));
        image.buildId().ifPresent(id -> json.put("buildId", id));
        json.put("virtualBase", Json.address(image.virtualBase()));
        json.put("physicalBase", Json.address(image.physicalBase()));
        json.put("size", image.size());
        json.put("slide", Json.address(image.slide()));
        json.put("paging", image.space().paging().mode().title());
        json.put("how", image.how());
        return json;
    }
}
