"""Conan 2 recipe that builds the sources it lies in: `conan create tools/packages/conan`."""

import os
import re

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load

ROOT = os.path.join("..", "..", "..")


class Tsock(ConanFile):
    name = "tsock"
    description = "Callback-style streams, datagrams and requests on libuv"
    license = "MIT"
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "tls": [True, False], "npa": [True, False]}
    default_options = {"shared": False, "fPIC": True, "tls": True, "npa": True}
    generators = "CMakeDeps"

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, ROOT, "CMakeLists.txt"))
        self.version = re.search(r"project\(tsock VERSION ([0-9.]+)", text)[1]

    def export_sources(self):
        root = os.path.join(self.recipe_folder, ROOT)
        for pattern in ("CMakeLists.txt", "LICENSE", "include/*", "src/*", "third_party/*"):
            copy(self, pattern, root, self.export_sources_folder)

    def requirements(self):
        self.requires("libuv/[>=1.44 <2]")
        self.requires("spdlog/[>=1.10 <2]")
        if self.options.tls:
            self.requires("openssl/[>=3 <4]")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in ("TLS", "NPA"):
            toolchain.variables[f"TSOCK_{part}"] = bool(getattr(self.options, part.lower()))
        for what in ("GSSAPI", "SASL", "FETCH", "TESTS", "EXAMPLES", "TOOLS"):
            toolchain.variables[f"TSOCK_{what}"] = False
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "tsock")
        core = self.cpp_info.components["core"]
        core.libs = ["tsock"]
        core.requires = ["libuv::libuv", "spdlog::spdlog"]
        core.set_property("cmake_target_name", "tsock::tsock")
        core.set_property("pkg_config_name", "tsock")
        for part, requires in (("tls", ["openssl::openssl"]), ("npa", [])):
            if getattr(self.options, part):
                component = self.cpp_info.components[part]
                component.libs = [f"tsock-{part}"]
                component.requires = ["core", *requires]
                component.set_property("cmake_target_name", f"tsock::{part}")
                component.set_property("pkg_config_name", f"tsock-{part}")
