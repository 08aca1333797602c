# The Debian package: what is installed as component `vhdd`, below /usr. Maintainer scripts are in package/.
string(TIMESTAMP VHDD_PACKAGE_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(systemd/package/changelog.in systemd/changelog @ONLY)
find_program(GZIP gzip REQUIRED)

set(doc "${PROJECT_BINARY_DIR}/systemd/doc")
add_custom_command(
	OUTPUT "${doc}/changelog.gz" "${doc}/changelog.Debian.gz"
	COMMAND "${CMAKE_COMMAND}" -E make_directory "${doc}"
	COMMAND "${GZIP}" -9nc "${PROJECT_SOURCE_DIR}/CHANGELOG.md" > "${doc}/changelog.gz"
	COMMAND "${GZIP}" -9nc "${PROJECT_BINARY_DIR}/systemd/changelog" > "${doc}/changelog.Debian.gz"
	DEPENDS CHANGELOG.md "${PROJECT_BINARY_DIR}/systemd/changelog"
	VERBATIM)
add_custom_target(package_doc ALL DEPENDS "${doc}/changelog.gz" "${doc}/changelog.Debian.gz")
install(
	FILES "${doc}/changelog.gz" "${doc}/changelog.Debian.gz" systemd/package/copyright
	DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/vhdd
	COMPONENT vhdd)
install(
	FILES systemd/package/overrides
	DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
	RENAME vhdd
	COMPONENT vhdd)
install(
	FILES systemd/nginx.conf
	DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/vhdd/examples
	COMPONENT vhdd)

# The configuration lies in /etc though the rest is below /usr; dpkg asks before it replaces an edited one.
file(WRITE "${PROJECT_BINARY_DIR}/systemd/conffiles" "/etc/vhdd/vhdd.conf\n")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME vhdd)
set(CPACK_PACKAGE_VENDOR vhdd)
# Whoever hands the package on says who answers for it; the default reaches nobody (RFC 2606).
set(VHDD_CONTACT
	"vhdd maintainers <maintainers@vhdd.invalid>"
	CACHE STRING "Maintainer of the Debian package: NAME <ADDRESS>")
set(CPACK_PACKAGE_CONTACT "${VHDD_CONTACT}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "daemon that keeps VHD disk images")
set(CPACK_PACKAGE_DESCRIPTION
	"A REST/JSON API creates dynamic disks and differencing snapshots, reads and\nwrites ranges of their sectors, and tells in which file of a chain a sector\nlives. Names, labels and parents are kept in a catalog."
)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
	OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL vhdd)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS passwd)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "systemd")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
	"${PROJECT_BINARY_DIR}/systemd/conffiles"
	"${PROJECT_SOURCE_DIR}/systemd/package/postinst"
	"${PROJECT_SOURCE_DIR}/systemd/package/prerm"
	"${PROJECT_SOURCE_DIR}/systemd/package/postrm")
include(CPack)
